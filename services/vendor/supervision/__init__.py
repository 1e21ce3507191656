"""Supervision: judges keying, inspects samples, keeps scores and standing."""

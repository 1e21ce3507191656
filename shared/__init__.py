"""What every service stands on: the contracts they meet in and the runtime that carries them."""

"""Reception: takes submissions in, once and for ever."""

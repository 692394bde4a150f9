"""The nouns of the relay as frozen dataclasses and enums, one file per noun. Times are aware UTC datetimes."""

"""The domain types of the relay as frozen dataclasses and enums, one file per type. Times are aware UTC datetimes."""

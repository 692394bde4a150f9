"""The domain types of the relay: frozen dataclasses and enums, one file per subject.

Every time is a datetime in UTC with its time zone set (an aware datetime).
"""

"""Reading what comes back: delivery status notifications about mail that another server had accepted."""

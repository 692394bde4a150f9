"""The record, the directory and the queue: one interface (`relay.ports.Store`), two engines."""

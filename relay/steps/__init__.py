"""The steps that `relay.flow` draws, each in a file of its own. They share the ports and settings in `Services`."""

"""The steps of a message, under the names of the drawing in `relay.flow`.

They share the ports and settings in `Services`.
"""

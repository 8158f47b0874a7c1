"""What travels between the parts: typed events, codes, columns, topics, identities. Pure data, no I/O, no clock."""

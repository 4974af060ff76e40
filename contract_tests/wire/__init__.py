"""What goes over the wire, whoever sent it: traffic, sockets, the clock, secrets struck out."""

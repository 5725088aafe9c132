"""Edges to the web: each turns a server's request into a Request, and an Outcome into the server's answer."""

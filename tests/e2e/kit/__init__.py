"""What the end-to-end tests are made of: a server, people with devices, and two kinds of client."""

"""What the WebShop server answers beyond the protocol of all environments."""

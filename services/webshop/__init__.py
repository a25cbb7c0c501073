"""WebShop: a shop of products to search, look at and buy from, as the benchmark has it."""

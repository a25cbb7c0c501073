"""HTTP routes: each reads a request, asks the library, fills a page or a model, and nothing else."""

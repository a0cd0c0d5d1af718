"""How Orderly is run: the embedded stack, images, manifests, dashboards."""

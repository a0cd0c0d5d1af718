"""Open-model load on the whole platform, judged by thresholds: `make load-steady` and so on."""

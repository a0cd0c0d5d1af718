"""Bearer tokens: signed by pinned issuers, verified strictly, remembered until they expire."""

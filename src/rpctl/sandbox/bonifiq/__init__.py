"""BonifiQ's two calls on a customer's points: change them, read them."""

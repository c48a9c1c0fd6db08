"""What hears. Everything here that needs a network's weights is an optional extra behind a small interface."""

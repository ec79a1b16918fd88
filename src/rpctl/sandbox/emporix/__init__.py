"""The Emporix Reward Points API, its token endpoint, and the site's mixin that holds the program."""

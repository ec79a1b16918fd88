"""Who the program is to a service: secrets and where they come from, access tokens, and how requests carry either.

    credentials         what a command asks for: something that authenticates its requests
    secrets             where a secret or a ready token can come from, and which one wins
    store               what `auth login` stores: the system's keyring, or a file of one's own
    service_token       access tokens: asked for with the client id and the secret, kept, used until they expire
    token_cache         keeps access tokens between commands, and lets one process ask for all
    client_credentials  the same as httpx wants it; the only module here that loads httpx
    private_files       files that nobody else reads

A secret is shown nowhere: not in a message, a repr or a traceback. It is looked for only when a token is needed.
"""

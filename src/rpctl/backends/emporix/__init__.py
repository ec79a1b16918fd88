"""The Emporix Reward Points Service.

backend    a method per operation
storefront the operations of a signed-in customer, with the customer's own token
wire       the documents as they come, checked
translate  wire <-> domain, pure
problems   error bodies -> errors
"""

"""Crypto exchanges by way of the ccxt library, for spot trading in one currency.

`exchanges` knows which of them can carry a client's order id and find an order by it, without
which nothing here is safe to repeat. `errors` says what each of ccxt's exceptions means, `parse`
turns its structures into ours, `client` does the input and output, `watching` tells how orders
change, and `provider` puts it all behind the ports.
"""

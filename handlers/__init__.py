"""The HTTP face of the API: from bytes to one provider call and back.

How a request flows, outermost first::

    server.py     uvicorn's protocol class: drains on SIGTERM, answers unparsable HTTP in our shape
    gateway.py    request id, access log, and the one place where any exception becomes an answer
    routing.py    Connexion routes method and path to an operation of openapi.yaml
    fastpath.py   runs the operation: key, parameters, body, handler, reply
      auth.py       which account a key belongs to
      parameters.py path and query to typed keyword arguments
      bodies.py     bytes to a checked JSON object
      schemas.py    the spec's schemas, compiled, and what their violations mean
    orders.py, positions.py, trades.py, account.py, market_data.py, system.py
                  one module per tag, one function per operationId: parse to model, call the
                  provider once, return the model
      rules.py      what a request must obey and JSON Schema cannot say
      replies.py    models to bytes, once
    errors.py     the only table from domain error to HTTP status

What no operation claims ends in `site.py`: the documentation, the spec itself, or a 404.
`app.py` puts all of it together; `cli.py` and `gunicorn_conf.py` start it.
"""

import warnings

with warnings.catch_warnings():
    # Connexion imports Starlette's test client and jsonschema's old resolver, which both announce
    # on import that they will go; whoever runs the server can do nothing about it.
    warnings.simplefilter("ignore")
    import connexion as connexion

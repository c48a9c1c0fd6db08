"""The same operations over HTTP and WebSocket: in this process, or in front of deployed endpoints.

`app` puts it together and is where to start reading. A dialect is one file under `dialects/`: a table of translation
between somebody's routes and our operations and events, without logic of its own. `executors` say where jobs run.
"""

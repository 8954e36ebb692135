// Dialogs that wish something of an upstream.

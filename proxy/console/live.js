// What the proxy tells each second.

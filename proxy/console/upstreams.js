// The view of upstreams and what is wished of them.

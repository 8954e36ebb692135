// Dark or light, before anything is painted.

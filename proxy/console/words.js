// Figures as people read them.

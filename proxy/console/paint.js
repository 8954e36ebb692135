// Makes the document what a view says.

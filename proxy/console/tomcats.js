// The view of Tomcats and their applications.

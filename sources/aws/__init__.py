"""The sources that read AWS, through one client policy."""

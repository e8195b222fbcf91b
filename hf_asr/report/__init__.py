"""report.html: one file about a run, which opens anywhere and asks the network for nothing."""

"""Every command with its options; what it does stands in the file named after its verb, one folder up."""

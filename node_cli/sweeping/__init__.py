"""Many runs by one command line: what each cell does, how far they are, how they ended."""

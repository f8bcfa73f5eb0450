"""One output a file. A face shows what it is given and decides nothing."""

"""What programs print while they train: lines of any shape, bars, tables and blocks."""

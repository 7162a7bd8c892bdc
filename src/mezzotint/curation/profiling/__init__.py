"""What can be measured of a picture without a network: each picture decoded once, each measure one function."""

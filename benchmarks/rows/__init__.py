"""The rows of the table: each a function that measures and adds its figures."""

"""What a finished picture is made of, and how it becomes a file."""

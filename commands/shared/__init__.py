"""What the commands share: options, output, start-up, context and exit codes."""

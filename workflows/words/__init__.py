"""What is said on the wire, one module a noun. Tags are wire names: never rename one."""

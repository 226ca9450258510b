"""What tests stand on: a pytest plugin with databases, and the check of migrations."""

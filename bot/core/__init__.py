"""What the bot does, knowing neither Discord nor OpenVINO nor settings."""

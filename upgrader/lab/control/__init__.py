"""What topology `control` has beside the others: a foundation node whose virtual machines are production's controllers."""

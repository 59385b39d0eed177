"""What a block is: sizes, data types, noise, schedule, and its sound as features."""

"""What renders Ubertruck's charts, and what the tests of charts stand on."""

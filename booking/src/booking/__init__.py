"""Booking: quotes and bookings of bulk freight"""

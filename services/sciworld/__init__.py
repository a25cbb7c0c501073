"""sciworld"""

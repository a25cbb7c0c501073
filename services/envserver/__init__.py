"""envserver"""

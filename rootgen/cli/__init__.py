"""(vocabulary of cli: written with the room)"""

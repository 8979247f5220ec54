"""(vocabulary of linux: written with the room)"""
